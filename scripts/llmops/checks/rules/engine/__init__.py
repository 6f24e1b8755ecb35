"""Theme `engine`: does the engine understand what it is told, and is its pod what it needs?"""
