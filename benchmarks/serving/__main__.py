"""python -m benchmarks.serving; see command.py."""

if __name__ == "__main__":
    from benchmarks.serving.command import main

    main()
