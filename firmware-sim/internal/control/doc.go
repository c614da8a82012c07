// Package control is the remote control of a running simulator: a small HTTP
// service with JSON bodies on a unix socket, and the client of it.
//
//	GET    /bays                     every bay (simulator.Bay)
//	POST   /bays/{bay}/plug          put the camera into its bay
//	POST   /bays/{bay}/unplug        pull it
//	POST   /bays/{bay}/record        make a recording; answers what was made
//	POST   /bays/{bay}/remove        {"path"}: the camera loses a recording
//	POST   /bays/{bay}/restart       switch the camera off and on again
//	POST   /bays/{bay}/urgent        {"path","urgent"}: mark a recording, or not
//	POST   /bays/{bay}/agency        {"name"}: the camera is another agency's; "" nobody's
//	POST   /bays/{bay}/behave        simulator.Behaviour
//	POST   /bays/{bay}/faults        fault.Fault: arm it
//	DELETE /bays/{bay}/faults        clear them all
//
// A failure is answered with {"error": words for people} and status 400 (the
// request makes no sense), 404 (no such bay) or 500.
//
// The socket is for its owner only (mode 0600); there is no other protection.
package control
