// Package crash disturbs a program at a chosen step of its work, and keeps count of
// what came of it.
//
// A Middle stands between the program and its server, an engine or an API server, and
// names every request that changes something. So the steps of a run are what the
// program does, and not what somebody has written down: a step that is new is tried
// from its first day on.
//
//	record := &crash.Middle{...}        a run that nobody disturbs
//	points := crash.Points(record.Deeds())
//	middle.Arm(points[i], crash.Strike{Do: kill, Drop: true})
//
// A Matrix does so for all points of some stories. The package knows neither engines
// nor clusters; test/docker and test/kubernetes use it, and say what a request means
// and when a night ended well.
package crash
