# What `cargo xtask peers` copies and fetches with: the one dependency.
defmodule Peers.MixProject do
  use Mix.Project

  def project do
    [app: :peers, version: "0.1.0", deps: [{:phoenix_pubsub, "~> 2.1"}]]
  end
end
