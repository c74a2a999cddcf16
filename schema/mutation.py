import strawberry

from schema.document_mutations import DocumentMutations
from schema.membership_mutations import MembershipMutations
from schema.session_mutations import SessionMutations
from schema.tenant_mutations import TenantMutations
from schema.user_mutations import UserMutations


@strawberry.type
class Mutation(
    SessionMutations, UserMutations, TenantMutations, MembershipMutations, DocumentMutations
):
    """Each takes one input, and answers what it changed, or `errors`."""
