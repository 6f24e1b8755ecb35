"""What the shipped gates do with a model's traffic: rollouts drawn by chance, truly judged."""
