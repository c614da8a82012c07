// Package api is Sealdock's JSON interface, version 1, below /api/v1/, and the
// document of it (OpenAPI 3.1) at /api/openapi.json.
//
// It promises:
//   - The same answers, the same rights and the same custody events as the
//     dashboard, because both ask the same services.
//   - Every route is in the document, with the shapes that it really reads and
//     writes: Answer and Stream are the only ways to make one, and take them from
//     its types.
//   - Errors are problem details (RFC 9457). Times are RFC 3339 in UTC; sizes are
//     bytes; hashes and ids are lower-case hex. Fields are added, never changed or
//     removed, within a version.
//   - Bodies and parameters that a route does not have are refused, and so are
//     repeated ones. Who may not do something is told that first.
//   - A POST with an Idempotency-Key is done once. Who asks too often is told for
//     how long to wait, and everybody how much is left.
//
// Who asks is known by the session cookie of package auth, or by a token in
// somebody's name; never by both. Other sites' requests are refused by the handler
// around it. It never imports the write side, and sets no security headers: the
// dashboard's handler stands around it and does.
package api
