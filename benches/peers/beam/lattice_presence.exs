# The Gleam package lattice_presence, 2.x, at the work of docs/benchmarks.md:
#
#     elixir -pa 'PROJECT/build/dev/erlang/*/ebin' lattice_presence.exs [N]
#
# Its modules are called as Gleam compiles them: a Result is {:ok, _} or {:error, _},
# and there are no deltas: what travels is a whole state.

Code.require_file("work.exs", __DIR__)

defmodule Gleam.Bench do
  @state :lattice_presence@presence_state
  @json :gleam@json

  # Called by name: without the package this file still compiles, and says so below.
  defp call(function, arguments), do: apply(@state, function, arguments)

  defp meta(%{"name" => name, "online_at" => at}) do
    string = apply(@json, :string, [name])
    apply(@json, :object, [[{"name", string}, {"online_at", apply(@json, :int, [at])}]])
  end

  def users(n, suffix \\ "") do
    for {pid, topic, key, meta} <- Work.users(n) do
      {pid <> suffix, topic, key <> suffix, meta(meta)}
    end
  end

  def joined(replica, users) do
    Enum.reduce(users, call(:new, [replica]), fn {pid, topic, key, meta}, state ->
      call(:join, [state, pid, topic, key, meta])
    end)
  end

  defp merge(a, b) do
    {:ok, {state, _diff}} = call(:merge_with_diff, [a, b])
    state
  end

  def run(n) do
    users = users(n)
    others = users(n, "b")
    some = users |> Enum.sort_by(fn {pid, _, _, _} -> :erlang.phash2(pid) end) |> Enum.take(20)
    pair = fn -> {joined("a", users), joined("b", others)} end

    merged = fn ->
      {a, b} = pair.()
      {merge(a, b), b}
    end

    changed = fn ->
      {a, b} = merged.()
      news = for {pid, topic, key, meta} <- Enum.take(users, 100), do: {pid <> "n", topic, key <> "n", meta}
      gone = Enum.take(others, 100)

      b = Enum.reduce(news, b, fn {pid, topic, key, meta}, b -> call(:join, [b, pid, topic, key, meta]) end)
      {a, Enum.reduce(gone, b, fn {pid, topic, key, _}, b -> call(:leave, [b, pid, topic, key]) end)}
    end

    [
      {"join", Work.time(3, fn -> call(:new, ["a"]) end, fn state ->
         Enum.reduce(users, state, fn {pid, topic, key, meta}, state ->
           call(:join, [state, pid, topic, key, meta])
         end)
       end) / n},
      # A leave looks at every entry: twenty of them are enough to know.
      {"leave", Work.time(1, fn -> joined("a", users) end, fn state ->
         Enum.reduce(some, state, fn {pid, topic, key, _}, state -> call(:leave, [state, pid, topic, key]) end)
       end) / length(some)},
      {"leave by pid", Work.time(1, fn -> joined("a", users) end, fn state ->
         Enum.reduce(some, state, fn {pid, _, _, _}, state -> call(:leave_by_pid, [state, pid]) end)
       end) / length(some)},
      {"members of a topic, 10", Work.time(1, fn -> joined("a", users) end, fn state ->
         for {_, topic, _, _} <- some, do: call(:get_by_topic, [state, topic])
       end) / length(some)},
      {"merge a disjoint N into N, per entry", Work.time(3, pair, fn {a, b} -> merge(a, b) end) / n},
      {"merge again, nothing new", Work.time(3, merged, fn {a, b} -> merge(a, b) end)},
      {"merge 100 joins and 100 leaves, whole", Work.time(3, changed, fn {a, b} -> merge(a, b) end)},
      {"replica_down of N, whole", Work.time(3, fn -> elem(merged.(), 0) end, fn a ->
         call(:replica_down, [a, "b"])
       end)},
      {"encode N, whole (JSON)", Work.time(3, fn -> joined("a", users) end, fn state ->
         call(:to_json_string, [state])
       end)},
      {"decode N, whole (JSON)", Work.time(3, fn -> call(:to_json_string, [joined("a", users)]) end, fn text ->
         {:ok, _} = call(:from_json, [text])
       end)}
    ]
  end
end

case Code.ensure_loaded(:lattice_presence@presence_state) do
  {:module, _} ->
    n = Work.n(System.argv())
    Work.table("lattice_presence (Gleam)", n, Gleam.Bench.run(n))

  {:error, reason} ->
    IO.puts(:stderr, "lattice_presence is not on the path that -pa gives: #{reason}")
    System.halt(1)
end
