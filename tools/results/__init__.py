"""Tables and pictures of docs/ and README.md, made from the figures in docs/results/*.json."""
