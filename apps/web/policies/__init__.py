"""The pages of policies: versions, the editor, what a draft would do."""
