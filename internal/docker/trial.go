package docker

import (
	"context"
	"errors"

	"aigw-ci/internal/upgrade"
)

// unlocked are the variables that switch a gateway's authentication off. Source:
// docs.gitlab.com/administration/gitlab_duo_self_hosted/troubleshooting, "only for
// troubleshooting"; ai-assist, duo_workflow_service.
var unlocked = map[string]string{
	"AIGW_AUTH__BYPASS_EXTERNAL": "true",
	"DUO_WORKFLOW_AUTH__ENABLED": "false",
}

// Trial starts a second gateway beside the one that runs, of the same image and
// with the same settings, but without authentication, where no user reaches it. It
// tells trouble with authentication from other trouble.
//
// The recipe is made for this container and kept nowhere, so nothing that is
// promoted can have these variables. The container is a rehearsal: Dismiss removes
// it, and when this run is killed, the next one does. The caller holds the lock.
func (t *Target) Trial(ctx context.Context, seen upgrade.Observation) (upgrade.Gateway, error) {
	s, ok := seen.Detail.(*scene)
	if !ok || s.old == nil {
		return nil, errors.New("there is no gateway to try: install one first")
	}
	if err := t.Dismiss(ctx); err != nil {
		return nil, err
	}
	config, err := t.imageConfig(ctx, s.old.Image)
	if err != nil {
		return nil, err
	}
	recipe, found := Copy(Source{Container: *s.old, Image: config, API: t.engine.api.ClientVersion(), Reference: s.old.Config.Image})
	if len(found.Refusals) > 0 {
		return nil, &upgrade.RefusedError{Place: t.place(s.family.name), Reasons: found.Refusals}
	}
	if err := recipe.CarryOver(ctx, t.engine.api, s.old.ID); err != nil {
		return nil, err
	}
	t.hide(recipe.Config.Env)
	trial, _ := recipe.Rehearsal(s.family.name + suffixRehearsal)
	for name, value := range unlocked {
		trial.Config.Env = variables(trial.Config.Env).with(name + "=" + value)
	}
	trial.Config.Labels = t.labels(&blueprint{scene: *s, recipe: recipe}, RoleRehearsal)

	t.log.Warn("AUTHENTICATION IS OFF in a second gateway, until this command ends: whoever reaches its networks may use it", "container", trial.Name)
	id, _, err := Create(ctx, t.engine.api, trial, s.old.Image)
	if err != nil {
		return nil, err
	}
	m := &member{id: id, name: trial.Name, labels: trial.Config.Labels}
	if err := t.start(ctx, m); err != nil {
		return nil, errors.Join(err, t.Dismiss(context.WithoutCancel(ctx)))
	}
	return t.engine.gateway(id, trial.Name, false), nil
}
