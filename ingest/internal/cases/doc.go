// Package cases is where people gather evidence by case: they open, change, close and
// reopen cases, put items in and take them out.
//
// It promises:
//   - Who may do what on which case is auth.May's to say; a case that a person may not see
//     is as unknown to them as one that is not there.
//   - Somebody puts an item into a case that they manage, and only one that they see
//     themselves; and never gives others more of it than they have, for grants on the case
//     reach what is in it from that moment on.
//   - Nothing is put into a closed case or taken out of it. Grants on it go on.
//   - Every act and every refused one is a custody event, written with the act or not at
//     all; what is done with an item in a case is an event of the item.
//
// It gives nobody a grant: that is auth's. The read side (api, dashboard) and the server's
// wiring call it; all of it may be called from several goroutines at once.
package cases
