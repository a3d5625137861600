// SPDX-License-Identifier: Apache-2.0
// Exceptions and their stacks as the Java agent writes them: frames of drivers, frameworks and
// servers around frames of the application.
#include "gen/catalog.h"

#include <string.h>

#define STACK_CAP 4000u // the text ends after the line that passes this

static const char *const mysql_frames[] = {
	"com.mysql.cj.jdbc.exceptions.SQLError.createSQLException(SQLError.java:129)",
	"com.mysql.cj.jdbc.exceptions.SQLExceptionsMapping.translateException("
	"SQLExceptionsMapping.java:122)",
	"com.mysql.cj.jdbc.ClientPreparedStatement.executeInternal(ClientPreparedStatement."
	"java:916)",
	"com.mysql.cj.jdbc.ClientPreparedStatement.execute(ClientPreparedStatement.java:354)",
	"com.zaxxer.hikari.pool.ProxyPreparedStatement.execute(ProxyPreparedStatement.java:44)",
	"com.zaxxer.hikari.pool.HikariProxyPreparedStatement.execute("
	"HikariProxyPreparedStatement.java)",
	NULL,
};

static const char *const postgresql_frames[] = {
	"org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:"
	"2713)",
	"org.postgresql.core.v3.QueryExecutorImpl.processResults(QueryExecutorImpl.java:2401)",
	"org.postgresql.core.v3.QueryExecutorImpl.execute(QueryExecutorImpl.java:368)",
	"org.postgresql.jdbc.PgStatement.executeInternal(PgStatement.java:498)",
	"org.postgresql.jdbc.PgStatement.execute(PgStatement.java:415)",
	"org.postgresql.jdbc.PgPreparedStatement.executeWithFlags(PgPreparedStatement.java:"
	"190)",
	"org.postgresql.jdbc.PgPreparedStatement.execute(PgPreparedStatement.java:177)",
	"com.zaxxer.hikari.pool.ProxyPreparedStatement.execute(ProxyPreparedStatement.java:44)",
	"com.zaxxer.hikari.pool.HikariProxyPreparedStatement.execute("
	"HikariProxyPreparedStatement.java)",
	NULL,
};

static const char *const mybatis_frames[] = {
	"org.apache.ibatis.executor.statement.PreparedStatementHandler.query("
	"PreparedStatementHandler.java:65)",
	"org.apache.ibatis.executor.statement.RoutingStatementHandler.query("
	"RoutingStatementHandler.java:79)",
	"org.apache.ibatis.executor.SimpleExecutor.doQuery(SimpleExecutor.java:64)",
	"org.apache.ibatis.executor.BaseExecutor.queryFromDatabase(BaseExecutor.java:336)",
	"org.apache.ibatis.executor.BaseExecutor.query(BaseExecutor.java:158)",
	"org.apache.ibatis.executor.CachingExecutor.query(CachingExecutor.java:110)",
	"org.apache.ibatis.session.defaults.DefaultSqlSession.selectList(DefaultSqlSession."
	"java:154)",
	"org.mybatis.spring.SqlSessionTemplate.selectList(SqlSessionTemplate.java:224)",
	"org.apache.ibatis.binding.MapperProxy.invoke(MapperProxy.java:86)",
	"com.sun.proxy.$Proxy142.selectByQuery(Unknown Source)",
	NULL,
};

static const char *const http_frames[] = {
	"java.net.SocketInputStream.socketRead0(Native Method)",
	"java.net.SocketInputStream.read(SocketInputStream.java:171)",
	"org.apache.http.impl.io.SessionInputBufferImpl.fillBuffer(SessionInputBufferImpl.java:"
	"153)",
	"org.apache.http.impl.conn.DefaultHttpResponseParser.parseHead("
	"DefaultHttpResponseParser.java:138)",
	"org.apache.http.protocol.HttpRequestExecutor.doReceiveResponse(HttpRequestExecutor."
	"java:273)",
	"org.apache.http.impl.execchain.MainClientExec.execute(MainClientExec.java:272)",
	"org.apache.http.impl.execchain.RetryExec.execute(RetryExec.java:89)",
	"org.apache.http.impl.client.InternalHttpClient.doExecute(InternalHttpClient.java:185)",
	"feign.httpclient.ApacheHttpClient.execute(ApacheHttpClient.java:83)",
	"feign.SynchronousMethodHandler.executeAndDecode(SynchronousMethodHandler.java:119)",
	"feign.SynchronousMethodHandler.invoke(SynchronousMethodHandler.java:89)",
	"feign.ReflectiveFeign$FeignInvocationHandler.invoke(ReflectiveFeign.java:100)",
	NULL,
};

static const char *const dubbo_client_frames[] = {
	"org.apache.dubbo.rpc.cluster.support.FailoverClusterInvoker.doInvoke("
	"FailoverClusterInvoker.java:113)",
	"org.apache.dubbo.rpc.cluster.support.AbstractClusterInvoker.invoke("
	"AbstractClusterInvoker.java:340)",
	"org.apache.dubbo.rpc.cluster.router.RouterSnapshotFilter.invoke(RouterSnapshotFilter."
	"java:46)",
	"org.apache.dubbo.monitor.support.MonitorFilter.invoke(MonitorFilter.java:108)",
	"org.apache.dubbo.rpc.cluster.filter.support.ConsumerContextFilter.invoke("
	"ConsumerContextFilter.java:119)",
	"org.apache.dubbo.registry.client.migration.MigrationInvoker.invoke(MigrationInvoker."
	"java:284)",
	"org.apache.dubbo.rpc.proxy.InvocationUtil.invoke(InvocationUtil.java:57)",
	"org.apache.dubbo.rpc.proxy.InvokerInvocationHandler.invoke(InvokerInvocationHandler."
	"java:75)",
	NULL,
};

static const char *const grpc_client_frames[] = {
	"io.grpc.stub.ClientCalls.toStatusRuntimeException(ClientCalls.java:268)",
	"io.grpc.stub.ClientCalls.getUnchecked(ClientCalls.java:249)",
	"io.grpc.stub.ClientCalls.blockingUnaryCall(ClientCalls.java:167)",
	NULL,
};

static const char *const proxy_frames[] = {
	"org.springframework.cglib.proxy.MethodProxy.invoke(MethodProxy.java:218)",
	"org.springframework.aop.framework.CglibAopProxy$CglibMethodInvocation.invokeJoinpoint("
	"CglibAopProxy.java:793)",
	"org.springframework.aop.framework.ReflectiveMethodInvocation.proceed("
	"ReflectiveMethodInvocation.java:163)",
	"org.springframework.transaction.interceptor.TransactionAspectSupport."
	"invokeWithinTransaction(TransactionAspectSupport.java:388)",
	"org.springframework.transaction.interceptor.TransactionInterceptor.invoke("
	"TransactionInterceptor.java:119)",
	"org.springframework.aop.framework.CglibAopProxy$DynamicAdvisedInterceptor.intercept("
	"CglibAopProxy.java:708)",
	NULL,
};

static const char *const web_frames[] = {
	"jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor."
	"java:103)",
	"java.lang.reflect.Method.invoke(Method.java:580)",
	"org.springframework.web.method.support.InvocableHandlerMethod.doInvoke("
	"InvocableHandlerMethod.java:205)",
	"org.springframework.web.method.support.InvocableHandlerMethod.invokeForRequest("
	"InvocableHandlerMethod.java:150)",
	"org.springframework.web.servlet.mvc.method.annotation.ServletInvocableHandlerMethod."
	"invokeAndHandle(ServletInvocableHandlerMethod.java:117)",
	"org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter."
	"invokeHandlerMethod(RequestMappingHandlerAdapter.java:895)",
	"org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter."
	"handleInternal(RequestMappingHandlerAdapter.java:808)",
	"org.springframework.web.servlet.mvc.method.AbstractHandlerMethodAdapter.handle("
	"AbstractHandlerMethodAdapter.java:87)",
	"org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:"
	"1072)",
	"org.springframework.web.servlet.DispatcherServlet.doService(DispatcherServlet.java:"
	"965)",
	"org.springframework.web.servlet.FrameworkServlet.processRequest(FrameworkServlet.java:"
	"1006)",
	"org.springframework.web.servlet.FrameworkServlet.doPost(FrameworkServlet.java:909)",
	"javax.servlet.http.HttpServlet.service(HttpServlet.java:681)",
	"org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:883)",
	"javax.servlet.http.HttpServlet.service(HttpServlet.java:764)",
	"org.apache.catalina.core.ApplicationFilterChain.internalDoFilter("
	"ApplicationFilterChain.java:227)",
	"org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:"
	"162)",
	"org.apache.tomcat.websocket.server.WsFilter.doFilter(WsFilter.java:53)",
	"org.apache.catalina.core.ApplicationFilterChain.internalDoFilter("
	"ApplicationFilterChain.java:189)",
	"org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:"
	"162)",
	"org.springframework.web.filter.RequestContextFilter.doFilterInternal("
	"RequestContextFilter.java:100)",
	"org.springframework.web.filter.OncePerRequestFilter.doFilter(OncePerRequestFilter."
	"java:117)",
	"org.apache.catalina.core.ApplicationFilterChain.internalDoFilter("
	"ApplicationFilterChain.java:189)",
	"org.springframework.web.filter.FormContentFilter.doFilterInternal(FormContentFilter."
	"java:93)",
	"org.springframework.web.filter.OncePerRequestFilter.doFilter(OncePerRequestFilter."
	"java:117)",
	"org.springframework.boot.actuate.metrics.web.servlet.WebMvcMetricsFilter."
	"doFilterInternal(WebMvcMetricsFilter.java:96)",
	"org.springframework.web.filter.CharacterEncodingFilter.doFilterInternal("
	"CharacterEncodingFilter.java:201)",
	"org.springframework.web.filter.OncePerRequestFilter.doFilter(OncePerRequestFilter."
	"java:117)",
	"org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java:197)",
	"org.apache.catalina.core.StandardContextValve.invoke(StandardContextValve.java:97)",
	"org.apache.catalina.authenticator.AuthenticatorBase.invoke(AuthenticatorBase.java:"
	"541)",
	"org.apache.catalina.core.StandardHostValve.invoke(StandardHostValve.java:135)",
	"org.apache.catalina.valves.ErrorReportValve.invoke(ErrorReportValve.java:92)",
	"org.apache.catalina.core.StandardEngineValve.invoke(StandardEngineValve.java:78)",
	"org.apache.catalina.connector.CoyoteAdapter.service(CoyoteAdapter.java:360)",
	"org.apache.coyote.http11.Http11Processor.service(Http11Processor.java:399)",
	"org.apache.coyote.AbstractProcessorLight.process(AbstractProcessorLight.java:65)",
	"org.apache.coyote.AbstractProtocol$ConnectionHandler.process(AbstractProtocol.java:"
	"893)",
	"org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java:1789)",
	"org.apache.tomcat.util.net.SocketProcessorBase.run(SocketProcessorBase.java:49)",
	"org.apache.tomcat.util.threads.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:"
	"1191)",
	"org.apache.tomcat.util.threads.TaskThread$WrappingRunnable.run(TaskThread.java:61)",
	"java.lang.Thread.run(Thread.java:840)",
	NULL,
};

static const char *const dubbo_server_frames[] = {
	"org.apache.dubbo.common.bytecode.Wrapper17.invokeMethod(Wrapper17.java)",
	"org.apache.dubbo.rpc.proxy.javassist.JavassistProxyFactory$1.doInvoke("
	"JavassistProxyFactory.java:71)",
	"org.apache.dubbo.rpc.proxy.AbstractProxyInvoker.invoke(AbstractProxyInvoker.java:100)",
	"org.apache.dubbo.config.invoker.DelegateProviderMetaDataInvoker.invoke("
	"DelegateProviderMetaDataInvoker.java:55)",
	"org.apache.dubbo.rpc.filter.ClassLoaderCallbackFilter.invoke("
	"ClassLoaderCallbackFilter.java:38)",
	"org.apache.dubbo.rpc.protocol.dubbo.filter.TraceFilter.invoke(TraceFilter.java:79)",
	"org.apache.dubbo.rpc.filter.TimeoutFilter.invoke(TimeoutFilter.java:45)",
	"org.apache.dubbo.monitor.support.MonitorFilter.invoke(MonitorFilter.java:108)",
	"org.apache.dubbo.rpc.filter.ExceptionFilter.invoke(ExceptionFilter.java:55)",
	"org.apache.dubbo.rpc.filter.GenericFilter.invoke(GenericFilter.java:216)",
	"org.apache.dubbo.rpc.filter.ContextFilter.invoke(ContextFilter.java:144)",
	"org.apache.dubbo.rpc.protocol.dubbo.DubboProtocol$1.reply(DubboProtocol.java:167)",
	"org.apache.dubbo.remoting.exchange.support.header.HeaderExchangeHandler.handleRequest("
	"HeaderExchangeHandler.java:110)",
	"org.apache.dubbo.remoting.transport.DecodeHandler.received(DecodeHandler.java:57)",
	"org.apache.dubbo.remoting.transport.dispatcher.ChannelEventRunnable.run("
	"ChannelEventRunnable.java:65)",
	"java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
	"java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:642)",
	"org.apache.dubbo.common.threadlocal.InternalRunnable.run(InternalRunnable.java:41)",
	"java.lang.Thread.run(Thread.java:840)",
	NULL,
};

static const char *const grpc_server_frames[] = {
	"io.grpc.stub.ServerCalls$UnaryServerCallHandler$UnaryServerCallListener.onHalfClose("
	"ServerCalls.java:182)",
	"io.grpc.PartialForwardingServerCallListener.onHalfClose("
	"PartialForwardingServerCallListener.java:35)",
	"io.grpc.ForwardingServerCallListener.onHalfClose(ForwardingServerCallListener.java:"
	"23)",
	"io.grpc.internal.ServerCallImpl$ServerStreamListenerImpl.halfClosed(ServerCallImpl."
	"java:356)",
	"io.grpc.internal.ServerImpl$JumpToApplicationThreadServerStreamListener$1HalfClosed."
	"runInContext(ServerImpl.java:861)",
	"io.grpc.internal.ContextRunnable.run(ContextRunnable.java:37)",
	"io.grpc.internal.SerializingExecutor.run(SerializingExecutor.java:133)",
	"java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
	"java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:642)",
	"java.lang.Thread.run(Thread.java:840)",
	NULL,
};

static const char *const kafka_frames[] = {
	"org.springframework.messaging.handler.invocation.InvocableHandlerMethod.doInvoke("
	"InvocableHandlerMethod.java:169)",
	"org.springframework.kafka.listener.adapter.HandlerAdapter.invoke(HandlerAdapter.java:"
	"56)",
	"org.springframework.kafka.listener.adapter.RecordMessagingMessageListenerAdapter."
	"onMessage(RecordMessagingMessageListenerAdapter.java:92)",
	"org.springframework.kafka.listener.KafkaMessageListenerContainer$ListenerConsumer."
	"doInvokeOnMessage(KafkaMessageListenerContainer.java:2670)",
	"org.springframework.kafka.listener.KafkaMessageListenerContainer$ListenerConsumer."
	"invokeIfHaveRecords(KafkaMessageListenerContainer.java:1394)",
	"org.springframework.kafka.listener.KafkaMessageListenerContainer$ListenerConsumer.run("
	"KafkaMessageListenerContainer.java:1291)",
	"java.util.concurrent.CompletableFuture$AsyncRun.run(CompletableFuture.java:1804)",
	"java.lang.Thread.run(Thread.java:840)",
	NULL,
};

static const char *const rocketmq_frames[] = {
	"org.apache.rocketmq.spring.support.DefaultRocketMQListenerContainer.handleMessage("
	"DefaultRocketMQListenerContainer.java:351)",
	"org.apache.rocketmq.spring.support.DefaultRocketMQListenerContainer$"
	"DefaultMessageListenerConcurrently.consumeMessage(DefaultRocketMQListenerContainer."
	"java:428)",
	"org.apache.rocketmq.client.impl.consumer.ConsumeMessageConcurrentlyService$"
	"ConsumeRequest.run(ConsumeMessageConcurrentlyService.java:411)",
	"java.util.concurrent.FutureTask.run(FutureTask.java:317)",
	"java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
	"java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:642)",
	"java.lang.Thread.run(Thread.java:840)",
	NULL,
};

struct exception catalog_exception(enum fault fault, struct dice *d)
{
	static const struct exception mysql[] = {
		{"com.mysql.cj.jdbc.exceptions.MySQLTransactionRollbackException",
		 "Deadlock found when trying to get lock; try restarting transaction"},
		{"java.sql.SQLIntegrityConstraintViolationException",
		 "Duplicate entry '20931-7' for key 'uk_tenant_external_no'"},
		{"com.mysql.cj.jdbc.exceptions.MySQLTimeoutException",
		 "Statement cancelled due to timeout or client request"},
		{"com.mysql.cj.jdbc.exceptions.CommunicationsException",
		 "Communications link failure"},
	};
	static const struct exception postgresql[] = {
		{"org.postgresql.util.PSQLException", "ERROR: deadlock detected"},
		{"org.postgresql.util.PSQLException",
		 "ERROR: duplicate key value violates unique constraint \"uk_external_no\""},
		{"org.postgresql.util.PSQLException",
		 "ERROR: canceling statement due to statement timeout"},
	};
	static const struct exception business[] = {
		{"java.lang.NullPointerException", ""},
		{"java.lang.IllegalArgumentException", "amount must be positive"},
		{"java.lang.IllegalStateException", "state does not allow this transition"},
		{"com.acme.common.exception.BusinessException", "limit of open items reached"},
		{"com.acme.common.exception.QuotaExceededException",
		 "quota of tenant exceeded"},
		{"java.util.NoSuchElementException", "No value present"},
	};
	static const struct exception http[] = {
		{"java.net.SocketTimeoutException", "Read timed out"},
		{"feign.RetryableException", "Read timed out executing POST"},
		{"java.net.ConnectException", "Connection refused (Connection refused)"},
	};
	static const struct exception dubbo[] = {
		{"org.apache.dubbo.rpc.RpcException",
		 "Failed to invoke the method, tried 3 times of the providers: Invoke remote "
		 "method timeout"},
		{"org.apache.dubbo.remoting.TimeoutException",
		 "Waiting server-side response timeout by scan timer"},
	};
	static const struct exception grpc[] = {
		{"io.grpc.StatusRuntimeException", "DEADLINE_EXCEEDED: deadline exceeded after "
						   "2.999871402s"},
		{"io.grpc.StatusRuntimeException", "UNAVAILABLE: io exception"},
		{"io.grpc.StatusRuntimeException", "INTERNAL: failed to process request"},
	};
	static const struct {
		const struct exception *list;
		uint32_t count;
	} of[] = {
		[FAULT_MYSQL] = {mysql, ARRAY_LEN(mysql)},
		[FAULT_POSTGRESQL] = {postgresql, ARRAY_LEN(postgresql)},
		[FAULT_BUSINESS] = {business, ARRAY_LEN(business)},
		[FAULT_HTTP_CALL] = {http, ARRAY_LEN(http)},
		[FAULT_DUBBO_CALL] = {dubbo, ARRAY_LEN(dubbo)},
		[FAULT_GRPC_CALL] = {grpc, ARRAY_LEN(grpc)},
	};

	return of[fault].list[dice_below(d, of[fault].count)];
}

// A stack that is being written; full once the cap is passed.
struct stack {
	struct buf *out;
	size_t start;
};

#define SHARED_FRAMES 4u // lines that go into one shared text

static bool stack_full(const struct stack *s)
{
	return s->out->size - s->start > STACK_CAP;
}

static void put_frame(struct buf *out, const char *frame)
{
	buf_put(out, "at ", 3);
	buf_put_text(out, frame);
	buf_put(out, "\n", 1);
}

static void put_frames(struct stack *s, const char *const *frame)
{
	while (*frame != NULL && !stack_full(s)) {
		buf_put_u8(s->out, MARK_SHARE);
		for (uint32_t i = 0; i < SHARED_FRAMES && *frame != NULL && !stack_full(s); i++)
			put_frame(s->out, *frame++);
		buf_put_u8(s->out, MARK_SHARE_END);
		s->start += 2; // marks are no text
	}
}

static void put_own_frame(struct stack *s, uint32_t entity, const char *layer,
			  const char *suffix, struct dice *d)
{
	const struct entity *e = &catalog_entities[entity];
	uint32_t line;

	if (stack_full(s))
		return;
	buf_put_text(s->out, "at com.acme.");
	buf_put_text(s->out, e->word);
	buf_put(s->out, ".", 1);
	buf_put_text(s->out, layer);
	buf_put(s->out, ".", 1);
	buf_put_text(s->out, e->class);
	buf_put_text(s->out, suffix);
	buf_put(s->out, ".", 1);
	catalog_method(s->out, entity, d);
	line = 30 + dice_below(d, 400);
	buf_put(s->out, "(", 1);
	buf_put_text(s->out, e->class);
	buf_put_text(s->out, suffix);
	buf_put_text(s->out, ".java:");
	buf_put_decimal(s->out, line);
	buf_put(s->out, ")\n", 2);
}

static const char *const *inner_frames(enum fault fault)
{
	static const char *const none[] = {NULL};

	switch (fault) {
	case FAULT_MYSQL:
		return mysql_frames;
	case FAULT_POSTGRESQL:
		return postgresql_frames;
	case FAULT_HTTP_CALL:
		return http_frames;
	case FAULT_DUBBO_CALL:
		return dubbo_client_frames;
	case FAULT_GRPC_CALL:
		return grpc_client_frames;
	case FAULT_BUSINESS:
		break;
	}
	return none;
}

static const char *const *outer_frames(enum op_kind kind)
{
	switch (kind) {
	case OP_DUBBO:
		return dubbo_server_frames;
	case OP_GRPC:
		return grpc_server_frames;
	case OP_KAFKA:
		return kafka_frames;
	case OP_ROCKETMQ:
		return rocketmq_frames;
	case OP_HTTP:
		break;
	}
	return web_frames;
}

void catalog_stack(struct buf *out, struct exception x, enum fault fault, enum op_kind kind,
		   uint32_t entity, struct dice *d)
{
	struct stack s = {.out = out, .start = out->size};

	buf_printf(out, "%s%s%s\n", x.class, x.message[0] != 0 ? ": " : "", x.message);
	put_frames(&s, inner_frames(fault));
	if (fault == FAULT_MYSQL || fault == FAULT_POSTGRESQL)
		put_frames(&s, mybatis_frames);
	if (fault == FAULT_BUSINESS)
		put_own_frame(&s, entity, "rules", "Validator", d);
	put_own_frame(&s, entity, "service", "ServiceImpl", d);
	put_own_frame(&s, entity, "service", "ServiceImpl", d);
	put_frames(&s, proxy_frames);
	put_own_frame(&s, entity, "app", "Facade", d);
	put_own_frame(&s, entity, "web", kind == OP_HTTP ? "Controller" : "Endpoint", d);
	put_frames(&s, outer_frames(kind));
}
