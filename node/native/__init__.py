"""Native administration: who is speaking, challenges, sessions, and the operations that change or list records."""
