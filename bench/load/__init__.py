"""The load generator: any Handle or HTTP node, on a schedule or in a closed loop, every answer checked."""
