# The work of docs/benchmarks.md, for modules on the BEAM. Loaded by phoenix.exs and
# lattice_presence.exs, which say how their module does each part of it.
#
# User i of n joins topic room:{i % (n/10)} under key user{i} with pid pid-{i}.

defmodule Work do
  def users(n), do: Enum.map(0..(n - 1), &user(&1, n))

  def user(i, n) do
    {"pid-#{i}", "room:#{rem(i, max(div(n, 10), 1))}", "user#{i}",
     %{"name" => "user #{i}", "online_at" => i}}
  end

  # Reductions of users into a state, in a fresh process whose heap is collected first:
  # what one row leaves behind is no burden for the next.
  def time(rounds \\ 1, prepare, run) do
    samples =
      for _ <- 1..rounds do
        task =
          Task.async(fn ->
            input = prepare.()
            :erlang.garbage_collect()
            {microseconds, _} = :timer.tc(fn -> run.(input) end)
            microseconds
          end)

        Task.await(task, :infinity)
      end

    samples |> Enum.sort() |> Enum.at(div(rounds, 2))
  end

  def show(microseconds) when microseconds < 1, do: "#{round(microseconds * 1000)} ns"
  def show(microseconds) when microseconds < 1000, do: "#{Float.round(microseconds / 1, 1)} µs"
  def show(microseconds), do: "#{Float.round(microseconds / 1000, 1)} ms"

  def table(name, n, rows) do
    IO.puts("\n| N = #{n} | #{name} |\n| --- | ---: |")
    for {operation, microseconds} <- rows, do: IO.puts("| #{operation} | #{show(microseconds)} |")
    IO.puts("")
  end

  def n(arguments) do
    case arguments do
      [text | _] -> String.to_integer(text)
      [] -> 100_000
    end
  end
end
