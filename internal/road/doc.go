// Package road makes connections of what is none: of a program's input and output that
// somebody else runs, of a channel, of a forwarded port. It also is the program that a
// helper runs in a gateway's network, and the line in which it says how it went.
package road
