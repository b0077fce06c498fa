"""Training a learner: one step, the loop around it, and everything that changes while it runs."""
