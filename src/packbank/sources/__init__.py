"""Where rows come from: serial buses and recorded traffic. A source puts rows into the store and knows no output."""
