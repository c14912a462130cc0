"""APIs of older Ray versions on the Ray of the runtime, one package each."""
