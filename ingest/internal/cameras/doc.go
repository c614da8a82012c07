// Package cameras is what people see of cameras and decide about them: lists,
// one camera with its keys, dockings, ledger and completeness, alerts; approval
// and blocking of keys, holds, assignment to officers, acknowledgement, and from
// which number on a camera's count is looked at, and what of its completeness is settled.
//
// It promises:
//   - A Desk acts for one person: each call asks auth.May first, and what is not
//     allowed is refused with auth.ErrForbidden and, for an act, recorded.
//   - An act and its custody event are one transaction (law 6): both, or neither.
//   - Nothing here deletes: keys, assignments and alerts keep their history.
//   - Completeness reads rows and the sizes of blobs, never contents: what is
//     stored is checked by fsck.
//
// It does not decide what docks do: custody answers them from the same rows,
// at the next docking or question. It imports nothing of the write side.
//
// The dashboard, the JSON interface and the command line call it, so that all
// three obey the same rules. Safe for concurrent use.
package cameras
