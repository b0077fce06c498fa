"""Many runs of one recipe: settings planned and checked together, each run in a process of its own."""
