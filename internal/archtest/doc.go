// Package archtest holds tests only: who may import whom, and the house rules
// that a machine can check. Each rule carries its reason; a rule that is in
// the way is changed here, together with the design, and nowhere worked
// around.
package archtest
