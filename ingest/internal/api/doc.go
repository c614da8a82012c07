// Package api is Sealdock's JSON interface, version 1, below /api/v1/: the
// overview, docks, the list of items, one item with its checks, its custody
// events and its receipt; firmware and settings of cameras, and the withdrawal of
// firmware; cameras, their completeness, alerts, and what people decide about
// them; webhooks, and a stream of what happens.
//
// It promises the same answers, the same rights and the same custody events as
// the dashboard, because both ask the same services. Errors are problem details
// (RFC 9457, application/problem+json). Times are RFC 3339 in UTC; sizes are
// bytes; hashes and ids are lower-case hex. Fields are added, never changed or
// removed, within a version.
//
// Who asks is known by the session cookie of package auth. Other sites'
// requests are refused by the handler around it. It never imports the write side, and sets no security
// headers: the dashboard's handler stands around it and does.
package api
