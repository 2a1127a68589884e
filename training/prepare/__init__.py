"""What a recipe may want beforehand: public towers and features, prototypes, faces drawn by other networks."""
