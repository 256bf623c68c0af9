"""What a training needs: its configuration, recipes, building, fitting and callbacks."""
