import java.net.InetAddress;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;

import net.handle.hdllib.*;

/**
 * What a factory's own program does with the Java client of Handle.Net, against one node.
 *
 * <p>Arguments: port, prefix, secret of 300:0.NA/prefix. One line for each step, "kept" or "broken"; the exit status is
 * the number of broken ones.
 */
public class HandleNetClient {
    private static final HandleResolver RESOLVER = new HandleResolver();
    private static int kept, broken;
    private static SiteInfo site;

    public static void main(String[] words) throws Exception {
        int port = Integer.parseInt(words[0]);
        String prefix = words[1];
        InetAddress host = InetAddress.getByName("127.0.0.1");
        AuthenticationInfo admin =
                new SecretKeyAuthenticationInfo(bytes("0.NA/" + prefix), 300, bytes(words[2]));
        learnSite(host, port);
        for (String way : new String[] {"challenges", "session", "encrypted session"}) {
            RESOLVER.setSessionTracker(way.equals("challenges") ? null : sessions(way.startsWith("encrypted")));
            live(way, prefix, admin);
        }
        RESOLVER.setSessionTracker(null);
        for (String algorithm : new String[] {"RSA", "DSA"}) {
            speakByKey(algorithm, prefix, admin);
        }
        readLarge(prefix, admin);
        step("certified resolution", () -> {
            ResolutionRequest request = new ResolutionRequest(bytes("0.NA/" + prefix), null, null, null);
            request.certify = true;
            request.authoritative = true;
            AbstractResponse answer = send(request);
            return answer.responseCode == AbstractMessage.RC_SUCCESS && answer.signature != null;
        });
        System.out.println(kept + " kept, " + broken + " broken");
        System.exit(broken);
    }

    private static void learnSite(InetAddress host, int port) throws Exception {
        byte[] nobody = bytes("/");
        step("site over TCP", () -> {
            AbstractRequest request = new GenericRequest(nobody, AbstractMessage.OC_GET_SITE_INFO, null);
            site = ((GetSiteInfoResponse) RESOLVER.sendHdlTcpRequest(request, host, port)).siteInfo;
            return site.servers.length == 1;
        });
        step("site over UDP", () -> done(RESOLVER.sendHdlUdpRequest(
                new GenericRequest(nobody, AbstractMessage.OC_GET_SITE_INFO, null), host, port)));
        RESOLVER.setCache(null);
        RESOLVER.setCertifiedCache(null);
        RESOLVER.getConfiguration().setCacheSites(new SiteInfo[] {site});
        RESOLVER.getConfiguration().setResolutionMethod(Configuration.RM_WITH_CACHE);
    }

    /** The life of one identifier. */
    private static void live(String way, String prefix, AuthenticationInfo admin) {
        String name = prefix + "/JAVA-" + way.replace(' ', '-');
        byte[] handle = bytes(name);
        HandleValue rights = rights(100, "0.NA/" + prefix);
        HandleValue first = value(1, "URL", "https://example.org/1"), text = value(2, "DESC", "水泵 pump");
        step(way + ": create", () -> done(send(new CreateHandleRequest(handle, new HandleValue[] {first, text, rights}, admin))));
        step(way + ": create again is refused", () -> send(new CreateHandleRequest(handle, new HandleValue[] {first}, admin))
                .responseCode == AbstractMessage.RC_HANDLE_ALREADY_EXISTS);
        step(way + ": overwrite", () -> {
            HandleValue[] values = {value(1, "URL", "https://example.org/2"), text, rights};
            CreateHandleRequest request = new CreateHandleRequest(handle, values, admin);
            request.overwriteWhenExists = true;
            return done(send(request));
        });
        step(way + ": resolve", () -> {
            HandleValue[] values = RESOLVER.resolveHandle(name, null, null);
            return values.length == 3 && values[0].getDataAsString().equals("https://example.org/2");
        });
        step(way + ": resolve a type", () -> RESOLVER.resolveHandle(name, new String[] {"URL"}, null).length == 1);
        step(way + ": resolve an index", () -> RESOLVER.resolveHandle(name, null, new int[] {2})[0]
                .getDataAsString().equals("水泵 pump"));
        step(way + ": add", () -> done(send(new AddValueRequest(handle, new HandleValue[] {value(5, "EMAIL", "a@b.c")}, admin))));
        step(way + ": modify", () -> done(send(new ModifyValueRequest(handle, new HandleValue[] {value(5, "EMAIL", "d@b.c")}, admin))));
        step(way + ": remove", () -> done(send(new RemoveValueRequest(handle, new int[] {5}, admin))));
        step(way + ": what is hidden is told to who may read it, and to nobody else", () -> {
            HandleValue secret = new HandleValue(6, Common.SECRET_KEY_TYPE, bytes("hidden"));
            secret.setAnyoneCanRead(false);
            if (!done(send(new AddValueRequest(handle, new HandleValue[] {secret}, admin)))) {
                return false;
            }
            ResolutionRequest request = new ResolutionRequest(handle, null, null, admin);
            request.ignoreRestrictedValues = false;
            request.authoritative = true;
            int told = ((ResolutionResponse) send(request)).getHandleValues().length;
            return told == 4 && RESOLVER.resolveHandle(name, null, null).length == 3;
        });
        step(way + ": check a login", () -> {
            Resolver resolver = new Resolver();
            resolver.getResolver().setConfiguration(RESOLVER.getConfiguration());
            return resolver.checkAuthentication(admin);
        });
        step(way + ": list", () -> {
            AtomicInteger count = new AtomicInteger();
            AbstractResponse last = RESOLVER.sendRequestToSite(
                    new ListHandlesRequest(bytes("0.NA/" + prefix), admin), site,
                    part -> count.addAndGet(((ListHandlesResponse) part).handles.length));
            return done(last) && count.get() > 0;
        });
        step(way + ": a wrong secret is refused", () -> {
            AuthenticationInfo wrong = new SecretKeyAuthenticationInfo(bytes("0.NA/" + prefix), 300, bytes("wrong"));
            return !done(send(new DeleteHandleRequest(handle, wrong)));
        });
        step(way + ": delete", () -> done(send(new DeleteHandleRequest(handle, admin))));
        step(way + ": it is gone", () -> {
            try {
                RESOLVER.resolveHandle(name, null, null);
                return false;
            } catch (HandleException gone) {
                return gone.getCode() == HandleException.HANDLE_DOES_NOT_EXIST;
            }
        });
    }

    /** A key pair of its own administers its record. */
    private static void speakByKey(String algorithm, String prefix, AuthenticationInfo admin) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
        generator.initialize(2048);
        KeyPair pair = generator.generateKeyPair();
        String name = prefix + "/JAVA-KEY-" + algorithm;
        byte[] handle = bytes(name);
        AuthenticationInfo key = new PublicKeyAuthenticationInfo(handle, 300, pair.getPrivate());
        step(algorithm + ": key record", () -> done(send(new CreateHandleRequest(handle, new HandleValue[] {
            new HandleValue(300, Common.PUBLIC_KEY_TYPE, Util.getBytesFromPublicKey(pair.getPublic())),
            rights(100, name), rights(101, "0.NA/" + prefix)}, admin))));
        step(algorithm + ": add a value", () -> done(send(
                new AddValueRequest(handle, new HandleValue[] {value(1, "URL", "https://example.org/k")}, key))));
        RESOLVER.setSessionTracker(sessions(true));
        step(algorithm + ": modify it in an encrypted session", () -> done(send(
                new ModifyValueRequest(handle, new HandleValue[] {value(1, "URL", "https://example.org/l")}, key))));
        RESOLVER.setSessionTracker(null);
        step(algorithm + ": delete", () -> done(send(new DeleteHandleRequest(handle, admin))));
    }

    private static void readLarge(String prefix, AuthenticationInfo admin) {
        char[] letters = new char[6000];
        Arrays.fill(letters, 'x');
        String name = prefix + "/JAVA-LARGE", content = new String(letters);
        step("what is too large for UDP comes over TCP", () -> {
            HandleValue[] values = {value(1, "DESC", content), rights(100, "0.NA/" + prefix)};
            return done(send(new CreateHandleRequest(bytes(name), values, admin)))
                    && RESOLVER.resolveHandle(name, null, null)[0].getDataAsString().equals(content)
                    && done(send(new DeleteHandleRequest(bytes(name), admin)));
        });
    }

    private static ClientSessionTracker sessions(boolean encrypted) {
        SessionSetupInfo setup = new SessionSetupInfo(Common.KEY_EXCHANGE_DH);
        setup.encrypted = encrypted;
        setup.authenticated = true;
        return new ClientSessionTracker(setup);
    }

    private static HandleValue value(int index, String type, String data) {
        return new HandleValue(index, bytes(type), bytes(data));
    }

    private static HandleValue rights(int index, String whose) {
        AdminRecord all = new AdminRecord(bytes(whose), 300, true, true, true, true, true, true, true, true, true, true, true, true);
        return new HandleValue(index, Common.ADMIN_TYPE, Encoder.encodeAdminRecord(all));
    }

    private static byte[] bytes(String text) {
        return Util.encodeString(text);
    }

    private static AbstractResponse send(AbstractRequest request) throws Exception {
        return RESOLVER.sendRequestToSite(request, site);
    }

    private static boolean done(AbstractResponse answer) {
        return answer.responseCode == AbstractMessage.RC_SUCCESS;
    }

    private static void step(String what, Callable<Boolean> work) {
        String said = "";
        boolean isKept = false;
        try {
            isKept = work.call();
        } catch (Exception error) {
            said = ": " + error;
        }
        kept += isKept ? 1 : 0;
        broken += isKept ? 0 : 1;
        System.out.println((isKept ? "kept    " : "broken  ") + what + said);
    }
}
