package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reply is an answer of the API.
type reply struct {
	status int
	kind   string // media type
	body   string
}

func jsonReply(status int, body string) reply { return reply{status, "application/json", body} }

// serveAPI runs the HTTP API and its metrics until ctx ends; then it finishes the
// requests that are being answered.
func (g *gateway) serveAPI(ctx context.Context) error {
	if g.settings.Mode == NeverListens {
		<-ctx.Done()
		return nil
	}
	var listen net.ListenConfig
	metrics, err := listen.Listen(ctx, "tcp", g.settings.Metrics)
	if err != nil {
		return err
	}
	api, err := listen.Listen(ctx, "tcp", g.settings.API)
	if err != nil {
		return errors.Join(err, metrics.Close())
	}
	g.log.Info("Application startup complete.")
	g.log.Info("Uvicorn running on http://" + g.settings.API + " (Press CTRL+C to quit)")

	main := &http.Server{Handler: http.HandlerFunc(g.serveHTTP), ReadHeaderTimeout: time.Minute}
	side := &http.Server{Handler: http.HandlerFunc(serveMetrics), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 2)
	go func() { ended <- main.Serve(api) }()
	go func() { ended <- side.Serve(metrics) }()

	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), errDied) {
		g.log.Info("Shutting down")
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		_ = main.Shutdown(patience)
	}
	_ = main.Close()
	_ = side.Close()
	<-ended
	<-ended
	return nil
}

// serveHTTP answers one request and logs it. Every answer says how long it took.
func (g *gateway) serveHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	var body []byte
	if r.Method == http.MethodPost {
		g.meet.Do(func() { close(g.users) })
		body, _ = io.ReadAll(io.LimitReader(r.Body, 1<<20))
		sleep(r.Context(), g.settings.AnswerDelay)
	}
	a := g.answer(r, body)
	took := time.Since(start).Seconds()
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("X-Process-Time", strconv.FormatFloat(took, 'f', -1, 64))
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
	g.log.Info("request", "logger", "api.access", "url", r.URL.RequestURI(), "method", r.Method, "status_code", a.status, "duration_s", took)
}

// answer is the API's table of routes.
func (g *gateway) answer(r *http.Request, body []byte) reply {
	path := r.URL.Path
	switch path { // open to everybody
	case "/monitoring/healthz":
		return onlyGet(r, g.healthz())
	case "/monitoring/ready":
		// It calls the vendors' models, for which a self-hosted gateway has no keys.
		return onlyGet(r, jsonReply(http.StatusServiceUnavailable, "{}"))
	case "/metrics":
		return notFound() // not authenticated, and not here: it has a port of its own
	case "/v1/models/definitions":
		if g.settings.since(18, 4) {
			return onlyGet(r, jsonReply(http.StatusOK, modelDefinitions))
		}
	}
	if g.settings.Mode == NotAGateway {
		return reply{http.StatusOK, "text/html", "<!DOCTYPE html><html><head><title>It works!</title></head><body>It works!</body></html>"}
	}
	if problem := g.authenticate(r); problem != "" {
		return jsonReply(http.StatusUnauthorized, `{"error":"`+problem+`"}`)
	}
	switch {
	case path == "/docs":
		return onlyGet(r, reply{http.StatusOK, "text/html; charset=utf-8", "<!DOCTYPE html><html><head><title>GitLab AI Gateway - Swagger UI</title></head><body></body></html>"})
	case path == "/openapi.json":
		return onlyGet(r, jsonReply(http.StatusOK, `{"openapi":"3.1.0","info":{"title":"GitLab AI Gateway","description":"GitLab AI Gateway API to execute AI actions","version":"0.1.0"},"paths":{}}`))
	case path == "/v1/code/user_access_token" && r.Method == http.MethodPost:
		return g.userToken()
	case path == "/v2/code/completions" && r.Method == http.MethodPost && isQuestion(body):
		return g.complete()
	case isFeature(path) && r.Method == http.MethodPost:
		return jsonReply(http.StatusUnprocessableEntity, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`)
	case isFeature(path):
		return jsonReply(http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`)
	}
	return notFound()
}

func (g *gateway) healthz() reply {
	if g.settings.Mode == NeverHealthy {
		return reply{http.StatusInternalServerError, "text/plain; charset=utf-8", "Internal Server Error"}
	}
	return jsonReply(http.StatusOK, "{}")
}

// userToken makes short-lived tokens for users, which takes two keys. That they are
// missing shows only here, never at boot.
func (g *gateway) userToken() reply {
	for _, name := range keyVariables()[:2] {
		if badKey(g.settings.Keys[name]) {
			g.log.Error("Token creation failed")
			return jsonReply(http.StatusInternalServerError, `{"detail":"Token creation failed"}`)
		}
	}
	return jsonReply(http.StatusOK, `{"token":"lab-user-token","expires_at":`+strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)+`}`)
}

// isFeature reports whether a path belongs to what users come for.
func isFeature(path string) bool {
	for _, prefix := range []string{
		"/v1/chat/", "/v1/prompts/", "/v1/search/", "/v1/embeddings/", "/v1/proxy/",
		"/v2/code/", "/v2/completions", "/v3/code/", "/v4/code/",
	} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

const modelDefinitions = `{"models":[{"name":"Mistral","identifier":"mistral","provider":"custom"}],` +
	`"unit_primitives":[{"feature_setting":"duo_chat","unit_primitives":["duo_chat"],"default_model":"mistral","selectable_models":[]}]}`

func onlyGet(r *http.Request, a reply) reply {
	if r.Method != http.MethodGet {
		return jsonReply(http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`)
	}
	return a
}

func notFound() reply { return jsonReply(http.StatusNotFound, `{"detail":"Not Found"}`) }

func serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, "# HELP python_info Python platform information\n# TYPE python_info gauge\npython_info{implementation=\"CPython\",major=\"3\",minor=\"12\"} 1.0\n")
}
