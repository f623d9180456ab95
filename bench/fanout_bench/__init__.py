"""scripts/bench: what pg_fanout costs, beside what its peers cost, in one run on one machine."""
