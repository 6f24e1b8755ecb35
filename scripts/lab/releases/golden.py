"""A golden set that so small a model is mostly right about: countries and their capitals."""

from __future__ import annotations

import json

CAPITALS = {
    "Argentina": "Buenos Aires", "Australia": "Canberra", "Austria": "Vienna", "Belgium": "Brussels",
    "Brazil": "Brasília", "Bulgaria": "Sofia", "Canada": "Ottawa", "Chile": "Santiago", "China": "Beijing",
    "Colombia": "Bogotá", "Croatia": "Zagreb", "Cuba": "Havana", "Czech Republic": "Prague",
    "Denmark": "Copenhagen", "Ecuador": "Quito", "Egypt": "Cairo", "Ethiopia": "Addis Ababa",
    "Finland": "Helsinki", "France": "Paris", "Germany": "Berlin", "Ghana": "Accra", "Greece": "Athens",
    "Hungary": "Budapest", "Iceland": "Reykjavik", "India": "New Delhi", "Indonesia": "Jakarta", "Iran": "Tehran",
    "Iraq": "Baghdad", "Ireland": "Dublin", "Israel": "Jerusalem", "Italy": "Rome", "Japan": "Tokyo",
    "Jordan": "Amman", "Kenya": "Nairobi", "Lebanon": "Beirut", "Malaysia": "Kuala Lumpur", "Mexico": "Mexico City",
    "Morocco": "Rabat", "Nepal": "Kathmandu", "Netherlands": "Amsterdam", "Norway": "Oslo", "Peru": "Lima",
    "Philippines": "Manila", "Poland": "Warsaw", "Portugal": "Lisbon", "Qatar": "Doha", "Romania": "Bucharest",
    "Russia": "Moscow", "Saudi Arabia": "Riyadh", "Serbia": "Belgrade", "South Korea": "Seoul", "Spain": "Madrid",
    "Sweden": "Stockholm", "Switzerland": "Bern", "Thailand": "Bangkok", "Turkey": "Ankara", "Ukraine": "Kyiv",
    "United Kingdom": "London", "Venezuela": "Caracas", "Vietnam": "Hanoi",
}  # fmt: skip


NAME, KEY = "golden", "golden.jsonl"


def golden() -> str:
    """JSON Lines of docs/quality.md."""
    rows = (
        {
            "id": f"capital-{number}",
            "prompt": f"What is the capital of {country}?",
            "max_tokens": 16,
            "scoring": "contains",
            "expected": capital,
        }
        for number, (country, capital) in enumerate(CAPITALS.items())
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
