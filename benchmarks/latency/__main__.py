"""python -m benchmarks.latency; see command.py.

The worker processes import this module, too, and nothing that is not theirs with it.
"""

if __name__ == "__main__":
    from benchmarks.latency.command import main

    main()
