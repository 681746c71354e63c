package main

import (
	"io"

	"github.com/spf13/cobra"

	"aigw-ci/internal/lab/gateway"
)

const gatewayLong = `Run the stand-in gateway as a plain process until SIGTERM. It is configured by its
environment alone, as the one in the images is: the variables of the real gateway, and
LAB_LINE, LAB_MODE, LAB_AFTER, LAB_BOOT_DELAY, LAB_ANSWER_DELAY and LAB_HOST.`

const gatewayExample = `  LAB_HOST=127.0.0.2 LAB_LINE=18.4 ENABLE_DUO_WORKFLOW_SERVICE=true \
    AIGW_FASTAPI__API_PORT=5052 AIGW_GITLAB_URL=http://127.0.0.1:8929 aigw-lab gateway`

func newGateway(getenv func(string) string, stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use: "gateway", Short: "Run one gateway as a plain process", Long: gatewayLong, Example: gatewayExample,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := gateway.Read(getenv)
			if err != nil {
				return err
			}
			if code := gateway.Run(cmd.Context(), settings, stdout, stderr); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
}
