package crash

import (
	"math/rand/v2"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Victim is a program that runs.
type Victim struct {
	Process *os.Process
	Ended   <-chan struct{} // closed when it has
}

// Strike is what happens at a point.
type Strike struct {
	Name   string
	Do     func(Victim) // first; may be nil
	Status int          // then the server seems to answer this; 0 for what it does answer
	Drop   bool         // then the connection is cut, without an answer
}

// Kill ends the program as a machine that goes away. What it asked for before the
// point never reaches the server.
var Kill = Strike{Name: "killed", Drop: true, Do: func(v Victim) {
	_ = v.Process.Kill()
	<-v.Ended
}}

// Random is one of many ways to be disturbed.
func Random(r *rand.Rand) Strike {
	pause := time.Duration(r.IntN(5000)) * time.Millisecond
	return []Strike{
		Kill,
		{Name: "killed after " + pause.String(), Do: func(v Victim) { time.AfterFunc(pause, func() { _ = v.Process.Kill() }) }},
		{Name: "cancelled", Do: func(v Victim) { _ = v.Process.Signal(syscall.SIGTERM) }},
		{Name: "refused", Status: http.StatusInternalServerError},
		{Name: "cut off", Drop: true},
		{Name: "kept waiting for " + pause.String(), Do: func(Victim) { time.Sleep(pause) }},
	}[r.IntN(6)]
}

// fell does the strike. It reports whether the program has been answered by it.
func (s *Strike) fell(w http.ResponseWriter, v Victim) bool {
	if s.Do != nil {
		s.Do(v)
	}
	switch {
	case s.Drop:
		panic(http.ErrAbortHandler) // net/http closes the connection
	case s.Status != 0:
		http.Error(w, "the disk is full", s.Status)
		return true
	}
	return false
}
