"""The notifier: turns what lifecycle and refunds state into exactly one mail each, or into a counted reason not to write."""
