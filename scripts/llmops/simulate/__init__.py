"""What the shipped gates do with a model's traffic, before anyone deploys: rollouts drawn by chance, truly judged."""
