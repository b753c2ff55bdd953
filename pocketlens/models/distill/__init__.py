"""Distillation: a student learns to give the pictures that a teacher gives."""
