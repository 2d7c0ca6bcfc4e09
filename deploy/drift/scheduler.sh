#!/usr/bin/env bash
# A report every morning: PROJECT=... REGION=... SERVICE_ACCOUNT=... deploy/drift/scheduler.sh
# SERVICE_ACCOUNT needs roles/run.invoker on the job.
set -euo pipefail
gcloud scheduler jobs create http droneseg-drift \
  --project "$PROJECT" --location "$REGION" \
  --schedule "0 5 * * *" --time-zone Etc/UTC \
  --uri "https://run.googleapis.com/v2/projects/$PROJECT/locations/$REGION/jobs/droneseg-drift:run" \
  --http-method POST --oauth-service-account-email "$SERVICE_ACCOUNT"
