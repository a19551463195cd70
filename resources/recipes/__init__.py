"""How the bundled models were made: one command each."""
