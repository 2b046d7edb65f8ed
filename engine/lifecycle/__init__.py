"""Lifecycle: bundles kept, named, promoted, rolled back and edited while they serve."""
