// Package auth knows who is asking and what they may do.
//
// It promises:
//   - Passwords are kept as PBKDF2-HMAC-SHA-512 with 210,000 rounds, keyed once
//     more by a pepper that lives outside the database, and are never logged.
//   - A wrong name, a wrong password and a locked account answer with the same
//     words after the same work. Five failures in 15 minutes lock the password
//     path of an account until Release.
//   - A session id is 256 random bits, of which only the SHA-256 is stored. It
//     ends after 30 minutes without use, after 12 hours, or at sign-out, and is
//     new at each sign-in.
//   - Each sign-in, refused sign-in, lock, release and sign-out is a custody
//     event in the same transaction. Where the event cannot be written, the act
//     does not take place.
//   - May denies what is not allowed by name.
//
// It does not decide what a page looks like and holds no second factor yet,
// which is why a password needs 15 characters.
//
// The read side (reading, api, dashboard) and the server's wiring call it. All
// of it may be called from several goroutines at once; time comes from the
// clock that the caller passes in.
package auth
