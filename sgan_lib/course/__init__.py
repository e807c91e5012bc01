"""What only the course needs: the runner, exercises, widgets, figures, stored tables. The library never imports it."""
