/** Bundled with the route, Offcut does all that the route needs. Left outside, it also reads large trees in threads. */
export default process.env.OFFCUT_OUTSIDE === "1" ? { serverExternalPackages: ["offcut"] } : {};
