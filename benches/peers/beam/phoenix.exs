# Phoenix.Tracker.State at the work of docs/benchmarks.md:
#
#     elixir phoenix.exs SOURCE_OF_PHOENIX_PUBSUB [N]
#
# Only the two modules that hold the state are compiled: no server, no PubSub.

[source | rest] = System.argv()
Code.require_file("work.exs", __DIR__)

Code.compiler_options(ignore_module_conflict: true)
{:ok, _, _} =
  Kernel.ParallelCompiler.compile(
    for file <- ["clock.ex", "state.ex"], do: Path.join([source, "lib/phoenix/tracker", file])
  )

defmodule Phoenix.Bench do
  alias Phoenix.Tracker.State

  def joined(replica, users) do
    Enum.reduce(users, State.new(replica), fn {pid, topic, key, meta}, state ->
      State.join(state, pid, topic, key, meta)
    end)
  end

  # A peer that is known and up, as after its first heartbeat.
  def knows(state, replica) do
    {state, _, _} = State.replica_up(state, replica)
    state
  end

  def whole(from, {to, context}), do: State.extract(from, to, context)

  def pair(n) do
    a = joined(:a, Work.users(n)) |> knows(:b)
    others = for {pid, topic, key, meta} <- Work.users(n), do: {pid <> "b", topic, key <> "b", meta}
    b = joined(:b, others) |> knows(:a)
    {a, b}
  end

  # The state of a that has merged all of b, and b with an empty delta.
  def merged(n) do
    {a, b} = pair(n)
    {a, _, _} = State.merge(a, whole(b, State.clocks(a)))
    {a, State.reset_delta(b)}
  end

  def run(n) do
    users = Work.users(n)
    shuffled = Enum.sort_by(users, &:erlang.phash2/1)

    [
      {"join", Work.time(3, fn -> State.new(:a) end, fn state ->
         Enum.reduce(users, state, fn {pid, topic, key, meta}, state ->
           State.join(state, pid, topic, key, meta)
         end)
       end) / n},
      {"leave", Work.time(3, fn -> joined(:a, users) end, fn state ->
         Enum.reduce(shuffled, state, fn {pid, topic, key, _}, state ->
           State.leave(state, pid, topic, key)
         end)
       end) / n},
      {"leave by pid", Work.time(3, fn -> joined(:a, users) end, fn state ->
         Enum.reduce(shuffled, state, fn {pid, _, _, _}, state -> State.leave(state, pid) end)
       end) / n},
      {"members of a topic, 10", Work.time(3, fn -> joined(:a, users) end, fn state ->
         for i <- 1..1000, do: State.get_by_topic(state, "room:#{rem(i * 7, div(n, 10))}")
       end) / 1000},
      {"merge a disjoint N into N, per entry", Work.time(3, fn ->
         {a, b} = pair(n)
         {a, whole(b, State.clocks(a))}
       end, fn {a, b} -> {_, joins, []} = State.merge(a, b); ^n = length(joins) end) / n},
      {"merge again, nothing new", Work.time(3, fn ->
         {a, b} = merged(n)
         {a, whole(b, State.clocks(a))}
       end, fn {a, b} -> {_, [], []} = State.merge(a, b) end)},
      {"merge a delta of 100 joins and 100 leaves, whole", Work.time(3, fn ->
         {a, b} = merged(n)
         b = Enum.reduce(0..99, b, fn i, b -> State.join(b, "new-#{i}", "room:1", "new#{i}", %{}) end)
         b = Enum.reduce(Enum.take(shuffled, 100), b, fn {pid, topic, key, _}, b ->
           State.leave(b, pid <> "b", topic, key <> "b")
         end)
         {a, whole(b.delta, State.clocks(a))}
       end, fn {a, delta} ->
         {_, joins, leaves} = State.merge(a, delta)
         {100, 100} = {length(joins), length(leaves)}
       end)},
      {"replica_down of N, whole", Work.time(3, fn -> elem(merged(n), 0) end, fn a ->
         {_, [], left} = State.replica_down(a, :b)
         ^n = length(left)
       end)},
      {"encode N, whole (Erlang terms)", Work.time(3, fn ->
         whole(elem(pair(n), 1), {:a, %{a: 0, b: 0}})
       end, &:erlang.term_to_binary/1)},
      {"decode N, whole (Erlang terms)", Work.time(3, fn ->
         :erlang.term_to_binary(whole(elem(pair(n), 1), {:a, %{a: 0, b: 0}}))
       end, &:erlang.binary_to_term/1)}
    ]
  end
end

n = Work.n(rest)
Work.table("Phoenix.Tracker.State", n, Phoenix.Bench.run(n))
