package engine

import (
	"encoding/json"
	"net/http"
)

// waitContainer answers at once with its header, and with the exit code once
// the condition holds. An unknown condition is "not-running", as in Docker 20.10.
func (e *Engine) waitContainer(w http.ResponseWriter, r *http.Request) error {
	e.mu.Lock()
	c, err := e.find(r.PathValue("id"))
	if err != nil {
		e.mu.Unlock()
		return err
	}
	exits := c.state.exits
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	for {
		e.mu.Lock()
		done, code, changed := !c.running(), c.state.exitCode, c.changed
		switch r.URL.Query().Get("condition") {
		case "next-exit":
			done = c.state.exits > exits
		case "removed":
			done = c.removed
		}
		e.mu.Unlock()
		if done {
			return json.NewEncoder(w).Encode(map[string]any{"Error": nil, "StatusCode": code})
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return nil
		}
	}
}
