"""From the user's definitions to the nets and the solver that are built: messages, no arrays."""
