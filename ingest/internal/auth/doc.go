// Package auth knows who is asking and what they may do.
//
// It promises:
//   - Passwords are kept as PBKDF2-HMAC-SHA-512 with 210,000 rounds, keyed once
//     more by a pepper that lives outside the database, and are never logged.
//   - A wrong name, a wrong password and a locked account answer with the same
//     words after the same work. Five failures in 15 minutes, of passwords and
//     codes together, lock the password path of an account until Release.
//   - Second factors are passkeys, which sign in alone, and codes of an
//     authenticator app; recovery codes stand in for them. No code, no recovery
//     code and no answer of a passkey is taken twice, however many come at once.
//     What waits for a second step is no session. Secrets are useless without
//     the pepper.
//   - Where a second factor is required, a session without one is for the own
//     account alone: Actor refuses it, Owner does not.
//   - Fresh says whether a factor was shown within 5 minutes; Confirm makes it so.
//   - A session id is 256 random bits, of which only the SHA-256 is stored. It
//     ends after 30 minutes without use, after 12 hours, or at sign-out, and is
//     new at each sign-in.
//   - Each sign-in, refused sign-in, lock, release and sign-out, and each act on
//     one's own account, is a custody event in the same transaction. Where the event cannot be written, the act
//     does not take place.
//   - Nobody of the agency's directory stays signed in for longer than 15 minutes
//     after it last confirmed them, and nobody of it takes over an account by name.
//   - May denies what no grant gives. ReachOf says the same for lists, and both come
//     from the same grants. A change of roles, groups or grants counts from the next
//     look-up of the session on, in every process.
//   - What a person may not even see is as unknown to them (Find).
//   - A Desk changes who may do what. Nobody hands out what they have not, nobody
//     changes their own account, and somebody who manages people remains. Each change
//     and each refused one is a custody event.
//
// It does not decide what a page looks like.
//
// The read side (reading, api, dashboard) and the server's wiring call it. All
// of it may be called from several goroutines at once; time comes from the
// clock that the caller passes in.
package auth
