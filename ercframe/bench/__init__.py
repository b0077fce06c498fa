"""How fast a recipe trains, what that costs, and how the cost grows."""
