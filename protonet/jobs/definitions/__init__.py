"""What a person gave, made into the nets and the solver that are built: messages, no arrays."""
