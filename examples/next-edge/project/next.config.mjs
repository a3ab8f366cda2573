/** The project ends here, wherever its folder lies: Next would look for lock files above it. */
export default { turbopack: { root: import.meta.dirname } };
