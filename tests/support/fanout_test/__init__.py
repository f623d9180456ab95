"""What the end-to-end tests, the fault tests, the regression driver and the demo are written with.

    places      where things are              postgres   throw-away clusters
    processes   started and ended by pid      daemon     fanoutd
    shop, bank  the workloads                 traffic    runs them
    oracle      exact comparison              replay     the file target, line by line
    stage       a source, its targets and a daemon, ready to use
    case        unittest's TestCase with a stage and with logs on failure
"""
