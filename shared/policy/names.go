package policy

// The rules' names. They stand in API answers, logs, stored sends and the
// console, so they never change. A new one also needs its entry in the registry
// (registry_*.go), its row in docs/rules.md (go test -update) and a passing and
// a failing case in the tests.
const (
	// Grants and prompts.
	RuleOneTimeCredit   = "one_time_credit"
	RuleLongTermActive  = "long_term_active"
	RuleLongTermCat     = "long_term_category"
	RuleKindsNotMixed   = "kinds_not_mixed"
	RulePromptAskedFor  = "prompt_is_asked_for"
	RulePromptOffTopic  = "prompt_off_topic"
	RulePromptLimit     = "prompt_limit"
	RulePromptNoNagging = "prompt_not_nagging"
	RulePromptCopy      = "prompt_copy"

	// Sends.
	RuleConsent           = "consent"
	RuleFields            = "fields"
	RuleOnTopic           = "on_topic"
	RuleNoMarketing       = "no_marketing"
	RuleNoBurst           = "no_burst"
	RuleFrequencyCap      = "frequency_cap"
	RuleQuietHours        = "quiet_hours"
	RulePreference        = "preference"
	RuleMedicalDisclaimer = "medical_disclaimer"
	RuleNoYieldPromise    = "no_yield_promise"
	RuleLimitedPeriod     = "limited_period"
	RuleValidUntil        = "valid_until"

	// Templates.
	RuleTitleSuffix      = "title_suffix"
	RuleTitlePunctuation = "title_punctuation"
	RuleTitleBrand       = "title_brand"
	RuleTitleBroadcast   = "title_broadcast"
	RuleTitleFrequent    = "title_frequent"
	RuleTitleMarketing   = "title_marketing"
	RuleContentLength    = "content_length"
	RuleContentFixedText = "content_fixed_text"
	RuleContentParams    = "content_params"
	RuleContentFirst     = "content_first"
	RuleContentRemark    = "content_remark"
	RuleContentKeywords  = "content_keywords"
	RuleContentAdjacent  = "content_adjacent"
	RuleDuplicate        = "duplicate"
	RuleTitleMismatch    = "title_content_mismatch"

	// Schedules.
	RuleScheduleConsent   = "schedule_consent"
	RuleScheduleFrequency = "schedule_frequency"
	RuleScheduleQuiet     = "schedule_quiet"
	RuleFixedPeriod       = "fixed_period"

	// Penalties and health.
	RuleSuspended   = "suspended"
	RuleCancelSpike = "cancel_spike"
	RuleLowInterest = "low_interest"
	RuleDailyQuota  = "daily_quota"
)
