package engine

import "github.com/moby/moby/api/types/container"

// wantsRestart is the restart policy's answer to how the container ended (moby,
// restartmanager.ShouldRestart). Engine.mu is held.
func (c *instance) wantsRestart() bool {
	switch p := c.host.RestartPolicy; p.Name {
	case container.RestartPolicyAlways:
		return true
	case container.RestartPolicyUnlessStopped:
		return !c.stoppedByHand
	case container.RestartPolicyOnFailure:
		return c.state.exitCode != 0 && (p.MaximumRetryCount == 0 || c.restarts < p.MaximumRetryCount)
	}
	return false
}
