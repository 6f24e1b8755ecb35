"""Canaries under load on the live cluster: good ones promoted, bad ones stopped, and every request accounted for."""
