"""Theme `rollout`: what happens while a new version takes over."""
